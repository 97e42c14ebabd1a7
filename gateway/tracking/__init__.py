"""What became of a delivery: the state table and the news that moves it. Pure."""
