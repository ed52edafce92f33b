"""Our own bounded reader of C2PA manifest stores: containers, boxes, COSE signatures, residue of removed stores.

The SDK judges hashes and signatures; it does not hand out certificate chains, nor does it say where a store lay. This room
reads just enough to answer those two questions, and nothing here decides anything.
"""
