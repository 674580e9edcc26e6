"""Addresses of the portal, one file for what belongs together; tenants/portal/urls.py sums them."""
