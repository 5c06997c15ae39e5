"""Made-up organizations and their budgets, and what is measured on them."""
