"""The portal's addresses by room, as tenants/portal/routes has them."""
