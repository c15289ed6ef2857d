"""What the commands of ``copra-tx`` do; ``copra_tx.cli`` parses the command line and calls them."""
