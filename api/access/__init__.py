"""Who may do what: accounts, sessions, tokens, the policy of each route, and the database's own view of the caller."""
