-- First part of scripts that find the keys of their queue by themselves: all of them begin alike.

local base = string.match(KEYS[1], '^(.*)workers$')
