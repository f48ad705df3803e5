-- A statement that keeps everyone out who was not let in.
SELECT format(
    'REVOKE ALL ON SCHEMA public FROM PUBLIC; REVOKE ALL ON DATABASE %I FROM PUBLIC',
    current_database()
)
