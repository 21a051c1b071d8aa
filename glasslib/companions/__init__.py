"""Methods of the companion studies, one module each: import the module that is wanted."""
