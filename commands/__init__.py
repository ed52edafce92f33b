"""The commands of `assay`, one module each: parse, one call, present, exit. Heavy imports stay inside the functions."""
