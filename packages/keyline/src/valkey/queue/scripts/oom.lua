#!lua flags=allow-oom
-- First part of scripts of workers: they go on where memory has run out, as it is they who free it.

