"""The layers that stand between model-written code and the machine; `layers` puts them on and reports them."""
