"""From a template's text to what the engine makes: parameters, macros, conditions and values."""
