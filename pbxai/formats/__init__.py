"""How dates are written, by language, where Django's own way would not do."""
