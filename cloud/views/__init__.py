"""What staff see of assets, devices and ships: the models of the API, made from the tables."""
