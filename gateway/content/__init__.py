"""What a recipient reads: templates, languages and the writers for each channel. Pure."""
