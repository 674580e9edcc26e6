"""The tenant's pages: a view module, a form module where one is needed, templates a page."""
