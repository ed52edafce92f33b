"""Writing manifests: recipes, signers, keys, derivatives and the signing log."""
