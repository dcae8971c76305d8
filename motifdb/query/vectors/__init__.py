"""Vectors: read as a matrix (`read`), the nearest by comparing all (`exact`) or through an index (`index`), what a text means (`like`)."""
