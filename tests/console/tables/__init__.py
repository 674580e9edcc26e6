"""The console's addresses by room, as tenants/console/routes has them."""
