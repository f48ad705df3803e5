-- A statement by which $1, the role, finds its own schema and no other.
SELECT format('ALTER ROLE %I SET search_path = %I', $1::text, $1::text)
