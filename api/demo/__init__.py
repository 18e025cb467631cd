"""A synthetic city, its people and one evening with known truth, to show and to score the whole system."""
