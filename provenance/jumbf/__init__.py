"""Reading the manifest store's bytes without the SDK: containers, JUMBF boxes, COSE signatures and their certificates."""
