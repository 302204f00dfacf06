#!/usr/bin/env python3
"""Makes the test models that an older JAX exports as graphs of XLA's operations, and their golden answers.

    pip install -r scripts/make_jax_graph_models.requirements.txt
    python scripts/make_jax_graph_models.py

They are functions of make_jax_models.py; test/jax/README.md says what each is for.
"""

from make_jax_models import make, model_of

NAMES = ["dense", "images", "tokens", "recurrent", "not_mean", "not_sorted"]


def named(name: str) -> str:
    """`not_` stays in front: it says that rows depend on each other."""
    return f"not_graph_{name[4:]}" if name.startswith("not_") else f"graph_{name}"


if __name__ == "__main__":
    make({named(name): model_of(name, native_serialization=False) for name in NAMES})
