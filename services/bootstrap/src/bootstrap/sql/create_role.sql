-- A statement for $1, the role, with $2, its password, and $3, further attributes.
SELECT format('CREATE ROLE %I LOGIN %s PASSWORD %L', $1::text, $3::text, $2::text)
