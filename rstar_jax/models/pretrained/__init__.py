"""Hugging Face folders, both ways: `config` (architecture), `names` (which tensor is what), `load`, `save`."""
