-- One query a line, over the tables of postgresql.rs.
SELECT 1, 1 + 1, 7 / 2, -7 / 2, 7 % 3, -7 % 3, 7.0 / 2, 1 / 3.0
SELECT 0.1 + 0.2, 1.50 * 2, 10 / 4.0, 100000 / 7.0, 1.0 / 7, 2.5 - 0.5, 12345678901234567890 * 2
SELECT NULL, NULL = NULL, NULL IS NULL, NOT NULL, true AND NULL, false AND NULL, true OR NULL, false OR NULL
SELECT 'a' || 'b', 'a' || NULL, 'x' || 1, upper('straße é'), lower('ÄÖ'), length('éa'), octet_length('éa')
SELECT round(2.5), round(-2.5), round(1.2345, 2), round(1234.5, -2), trunc(-1.99), trunc(1.999, 2), floor(-1.5), ceil(1.2)
SELECT round(2.5::float8), round(3.5::float8), 0.1::float8, 1e20::float8, 1e-7::float8, 100::float8, 1.0::float8 / 3
SELECT abs(-5), abs(-5.50), sign(-3.2), mod(7, 3), mod(-7, 3), mod(7.5, 2)
SELECT substring('hello' FROM 2 FOR 3), substr('hello', 0, 3), substr('hello', -1), left('hello', -2), right('hello', 2), substring('hello', 4, 100)
SELECT trim('  x '), ltrim('xxy', 'x'), rtrim('yxx', 'x'), btrim('xyx', 'x'), trim(both 'x' from 'xax'), trim(leading ' ' from '  a ')
SELECT replace('banana', 'an', 'x'), reverse('abc'), repeat('ab', 3), split_part('a,b,c', ',', 2), split_part('a,b', ',', 5), strpos('abc', 'c'), position('b' in 'abc')
SELECT concat('a', NULL, 1, true), coalesce(NULL, 2), nullif(1, 1), nullif(1, 2), greatest(1, NULL, 3), least(2, 1.5)
SELECT CASE 2 WHEN 1 THEN 'one' WHEN 2 THEN 'two' END, CASE WHEN false THEN 1 END, CASE WHEN true THEN 1 ELSE 2.5 END
SELECT '5'::bigint, '5.50'::numeric, 5.5::bigint, -2.5::numeric::bigint, 2.5::float8::bigint, 'yes'::boolean, true::text, 1::boolean, 12.345::numeric(10,2), 'abcdef'::varchar(3)
SELECT 1 IN (1, 2), 3 IN (1, 2), 3 IN (1, NULL), NULL IN (1), 1 NOT IN (2, NULL), 2 BETWEEN 1 AND 3, 2 NOT BETWEEN 1 AND 3
SELECT 'abc' LIKE 'a%', 'abc' LIKE '_b_', 'a%c' LIKE 'a\%c', 'abc' ILIKE 'A%', 'axc' LIKE 'a!xc' ESCAPE '!', 'abc' NOT LIKE 'b%'
SELECT 1 IS DISTINCT FROM NULL, NULL IS NOT DISTINCT FROM NULL, (1 > 2) IS NOT TRUE, (NULL > 2) IS UNKNOWN
SELECT 9223372036854775807, -9223372036854775808, 9223372036854775807::numeric + 1, 99999999999 * 99999999999::numeric
SELECT 'B' < 'a', 'a' < 'é', '' < 'a', 'a ' = 'a', 'Z' > 'A'
SELECT count(*), count(a), count(DISTINCT a), sum(a), avg(a), min(a), max(a) FROM item
SELECT sum(n), avg(n), min(n), max(n), count(n) FROM item
SELECT min(t), max(t), min(d), max(d), count(DISTINCT t) FROM item
SELECT count(*), sum(a), avg(a), min(t), bool_and(f) FROM item WHERE id < 0
SELECT sum(a) / 7, sum(b) / count(*), count(*) / 7, sum(1) / 7, avg(a) * 2 FROM item
SELECT sum(CASE WHEN a > 0 THEN 1 ELSE 0 END) / 2, sum(CASE WHEN f THEN a ELSE 0 END) FROM item
SELECT count(*) FILTER (WHERE a > 5), sum(n) FILTER (WHERE u = 'red') FROM item
SELECT u, count(*) FROM item GROUP BY u ORDER BY u
SELECT u, count(*) FROM item GROUP BY u ORDER BY u DESC
SELECT u, count(*) AS c FROM item GROUP BY u ORDER BY c DESC, u NULLS FIRST
SELECT u, b, sum(n), avg(n) FROM item GROUP BY u, b ORDER BY u, b
SELECT u, sum(a) FROM item GROUP BY 1 HAVING sum(a) > 100 ORDER BY 2
SELECT u AS colour, count(*) FROM item GROUP BY colour HAVING count(*) > 10 AND min(a) < 0 ORDER BY colour
SELECT b * 2 AS twice, count(*) FROM item GROUP BY b * 2 ORDER BY twice
SELECT upper(u), count(*) + 1 FROM item GROUP BY upper(u) ORDER BY upper(u)
SELECT count(*) FROM item HAVING count(*) > 1000
SELECT 1 FROM item HAVING true
SELECT DISTINCT u FROM item ORDER BY u
SELECT DISTINCT u, b FROM item ORDER BY u DESC, b
SELECT DISTINCT b % 2 FROM item
SELECT DISTINCT u FROM item ORDER BY u LIMIT 2 OFFSET 1
SELECT id, t FROM item ORDER BY t, id
SELECT id, t FROM item ORDER BY t DESC, id DESC LIMIT 30
SELECT id, n FROM item ORDER BY n NULLS FIRST, id LIMIT 50
SELECT id, a + coalesce(b, 0) AS s FROM item ORDER BY s, id
SELECT id, f FROM item ORDER BY f, id
SELECT id FROM item ORDER BY -a, id LIMIT 10
SELECT id FROM item ORDER BY id DESC LIMIT 5
SELECT * FROM item WHERE id = 17
SELECT * FROM item WHERE id = '17'
SELECT id FROM item WHERE a = '5' OR n < '2.5'
SELECT id FROM item WHERE a > 5 AND a < 3
SELECT id FROM item WHERE a = NULL
SELECT id FROM item WHERE a = 5 AND b = 2
SELECT id FROM item WHERE a = 5.0
SELECT id FROM item WHERE a > 5.5 AND a <= 8.5
SELECT id FROM item WHERE 5 < a AND 10 >= a
SELECT id FROM item WHERE n = a
SELECT id FROM item WHERE t > 'a' AND t < 'b'
SELECT id FROM item WHERE u = 'red' AND n BETWEEN 10 AND 200 ORDER BY n, id
SELECT id FROM item LIMIT 0
SELECT id FROM item ORDER BY id LIMIT 3 OFFSET 298
SELECT id FROM item ORDER BY id OFFSET 297
SELECT i.id, p.id FROM item i JOIN part p ON p.item = i.id ORDER BY i.id, p.id
SELECT i.id, p.id FROM item i LEFT JOIN part p ON p.item = i.id ORDER BY i.id, p.id
SELECT i.id, p.id FROM item i LEFT JOIN part p ON p.item = i.id AND p.weight > 50 ORDER BY i.id, p.id
SELECT i.id, p.id FROM item i LEFT JOIN part p ON p.item = i.id AND i.a > 5 ORDER BY i.id, p.id
SELECT i.id, p.id FROM item i LEFT JOIN part p ON p.item = i.id WHERE p.id IS NULL ORDER BY i.id
SELECT i.id, p.id FROM item i LEFT JOIN part p ON p.item = i.id WHERE p.weight > 30 ORDER BY p.id
SELECT i.id, p.name, q.name FROM item i JOIN part p ON p.item = i.id LEFT JOIN part q ON q.item = i.p ORDER BY i.id, p.id, q.id
SELECT i.id, p.id FROM item i, part p WHERE i.id = p.item AND p.weight > i.a ORDER BY i.id, p.id
SELECT a.id, b.id FROM item a JOIN item b ON a.p = b.id AND a.b = b.b ORDER BY a.id, b.id
SELECT i.u, count(*), sum(p.weight) FROM item i JOIN part p ON p.item = i.id GROUP BY i.u ORDER BY 1
SELECT i.u, count(p.id) FROM item i LEFT JOIN part p ON p.item = i.id GROUP BY i.u ORDER BY 1
SELECT count(*) FROM part p JOIN item i ON i.id = p.item WHERE i.id = 5
SELECT id, p.item FROM part p WHERE p.item > 200 ORDER BY p.weight, p.id
SELECT p.id, i.t FROM part p LEFT JOIN item i ON i.id = p.item AND i.t = p.name ORDER BY p.id
SELECT id, data->'customer'->>'email' FROM note ORDER BY id
SELECT id FROM note WHERE data->'customer'->>'email' = 'alpha' ORDER BY id
SELECT id FROM note WHERE data->'customer'->>'email' = 'true'
SELECT id FROM note WHERE data->'customer'->>'email' >= '2' AND data->'customer'->>'email' < '5'
SELECT id FROM note WHERE data->'customer'->>'email' < 'b' AND data->>'kind' = 'a'
SELECT id FROM note WHERE data->'customer'->>'email' IS NULL ORDER BY id
SELECT id FROM note WHERE data->'customer'->>'email' IS NOT NULL AND data->'customer'->>'tier' <> 't1'
SELECT id FROM note WHERE data->'customer'->>'email' IN ('alpha', '7', 'true')
SELECT id FROM note WHERE data->'customer'->>'email' LIKE 'a%'
SELECT data->'customer'->>'email' FROM note ORDER BY data->'customer'->>'email', id LIMIT 20
SELECT data->'customer'->>'email' FROM note ORDER BY data->'customer'->>'email' DESC, id DESC LIMIT 20 OFFSET 30
SELECT id FROM note WHERE data->>'kind' = 'b' AND data->'customer'->>'tier' = 't1' AND item > 100
SELECT id, item FROM note WHERE data->>'kind' = 'it''s' AND data->'customer'->>'tier' >= 't1' ORDER BY item, id
SELECT data->>'kind', count(*), min(item) FROM note WHERE data->'customer'->>'tier' IS NOT NULL GROUP BY data->>'kind'
SELECT data->'customer'->>'tier', count(data->'customer'->>'email') FROM note GROUP BY data->'customer'->>'tier'
SELECT i.id, n.id FROM note n JOIN item i ON i.id = n.item WHERE n.data->>'kind' = 'a' AND n.data->'customer'->>'tier' = 't2'
SELECT i.id, n.data->>'kind' FROM item i LEFT JOIN note n ON n.item = i.id AND n.data->'customer'->>'email' > 'a' ORDER BY i.id, n.id
SELECT id FROM note WHERE data->'kind'->>'email' = 'a'
SELECT count(*) FROM note WHERE data->>'missing' IS NULL
