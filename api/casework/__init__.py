"""What officers do with a case: orders, exemptions, leaves, decisions, tasks; PostgreSQL decides who may."""
