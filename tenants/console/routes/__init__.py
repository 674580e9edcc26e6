"""Addresses of the console, one file a room; tenants/console/urls.py sums them."""
