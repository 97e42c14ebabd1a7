"""Who must be told, who must not be, and by which route: pure functions over a directory."""
