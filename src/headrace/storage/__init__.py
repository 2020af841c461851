"""Storage: files that are whole or not there, checked arrays and documents, one writer."""
