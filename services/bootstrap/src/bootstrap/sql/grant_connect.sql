-- A statement that lets $1, the role, into this database, and make temporary tables.
SELECT format('GRANT CONNECT, TEMPORARY ON DATABASE %I TO %I', current_database(), $1::text)
