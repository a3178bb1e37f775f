"""Packaging of rstar_jax; tool settings live in pyproject.toml."""

from setuptools import find_packages, setup

SERVE = ["starlette>=1.0", "uvicorn>=0.40", "pydantic>=2.11"]

setup(
    name="rstar_jax",
    version="0.1.0",
    description="rStar-Math in JAX: small models that solve mathematics by Monte Carlo tree search.",
    packages=find_packages(include=["rstar_jax", "rstar_jax.*"]),
    package_data={"rstar_jax": ["py.typed", "**/*.json", "report/page.html", "view/page/*"]},
    python_requires=">=3.11,<3.14",
    install_requires=[
        "jax>=0.10.2,<0.11",
        "flax>=0.12.5,<0.12.9",
        "optax>=0.2.8",
        "orbax-checkpoint>=0.12.4,<0.13",
        "transformers>=5.0,<6",
        "jinja2>=3.1.6",  # what transformers renders chat templates with, and does not bring along
        "tokenizers>=0.22",
        "safetensors>=0.5",
        "numpy>=2.0",
        "scipy>=1.14",
        "sympy>=1.13",
        "mpmath>=1.3,<1.4",
        "math-verify==0.9.0",
        "latex2sympy2_extended==1.11.0",
        "reasoning-gym==0.1.25",
        "pyarrow>=18",
        "ijson>=3.3",
        "huggingface_hub>=1.0",
        "httpx>=0.27",
        "psutil>=6",
        "etils[epath]>=1.9",
        "jaxtyping>=0.3",
        "tyro>=0.9",
        "tqdm>=4.66",
        "rich>=13.7",
        "matplotlib>=3.9",
        "pygments>=2.18",
    ],
    extras_require={
        "test": [
            "pytest>=8",
            "pytest-xdist>=3.6",
            "hypothesis>=6",
            "datasets>=3",
            "torch==2.13.0",
            "tensorboardX>=2.6.2",
            "ray>=2.40",
            "kubernetes-validate>=1.30",
            "pyyaml>=6",
            "playwright>=1.45",  # drives an installed Chromium; without one the tests of the page are skipped
            *SERVE,
            "openai>=2",
        ],
        "serve": SERVE,  # for python -m rstar_jax.serve
        "bootstrap-server": ["torch==2.13.0", "transformers[serving]>=5.0,<6"],  # for the slow test of such a server
        "tensorboard": ["tensorboardX>=2.6.2"],  # training writes curves beside metrics.jsonl; needs no TensorFlow
        "ray": ["ray[default]>=2.40"],  # searches on a cluster
        "tpu": ["jax[tpu]>=0.10.2,<0.11"],  # of the hosts of a TPU slice
        "topology": ["libtpu==0.0.42.*"],  # compiles for TPUs that are not there; Linux on x86-64
        "peers": ["torch==2.13.0", "accelerate>=1.1", "google-tunix==0.1.7"],  # for benchmarks/{generation,training}.py
        "dev": ["ruff>=0.8", "pyright>=1.1.390"],
    },
)
