"""Which kernel the tests' work asks for."""

chosen = "auto"
