"""How fast the network trains and predicts, beside other libraries on the same work."""
