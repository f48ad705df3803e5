-- A statement by which whoever runs it may make objects for $1; a superuser may anyway.
SELECT format('GRANT %I TO CURRENT_USER', $1::text)
FROM pg_roles
WHERE rolname = current_user AND NOT rolsuper
