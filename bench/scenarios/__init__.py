"""What is measured beside the plain comparison: one module for each of the project's promises about speed."""
