SELECT * FROM thoughts WHERE id = $1
