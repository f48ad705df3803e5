-- A statement that gives $1, the role, $2, another password.
SELECT format('ALTER ROLE %I PASSWORD %L', $1::text, $2::text)
