api-title = Management API
api-lead = For developers: each operation, the scope it needs and what it expects. The whole document:
api-groups = Groups of operations
