#!/bin/sh
# MariaDB 10.11 (Debian 12) writes NULL by SELECT ... INTO OUTFILE as the escape character and an N. With ESCAPED BY '"',
# which is often advised for CSV, that is "N, which opens a quoted value that nothing ends (RFC 4180 2.5): the values
# behind it are in other columns, or missing.
# A reader cannot tell it from a value. The manual advises the usual backslash, or COALESCE in the query.
set -eu
version=1:10.11.19-0+deb12u1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq -o APT::Sandbox::User=root "mariadb-server-core=$version" "mariadb-server=$version" liburing2 libaio1
for package in *.deb; do dpkg -x "$package" .; done
mkdir data
cat >query <<SQL
create database mysql;
use mysql;
SQL
cat usr/share/mysql/mysql_system_tables.sql usr/share/mysql/mysql_system_tables_data.sql >>query
cat >>query <<SQL
create table people (email varchar(80), name varchar(80), unsubscribed int);
insert into people values ('ann@example.org', 'Ann "A" Lee', 0), ('bob@example.org', null, 1);
select * from people into outfile '$work/quote.csv'
  fields terminated by ',' optionally enclosed by '"' escaped by '"' lines terminated by '\n';
select * from people into outfile '$work/backslash.csv'
  fields terminated by ',' optionally enclosed by '"' lines terminated by '\n';
SQL
LD_LIBRARY_PATH=$work/usr/lib/x86_64-linux-gnu:$work/lib/x86_64-linux-gnu usr/sbin/mariadbd --no-defaults --bootstrap \
  --user="$(id -un)" --datadir="$work/data" --lc-messages-dir="$work/usr/share/mysql" --secure-file-priv= \
  --innodb-buffer-pool-size=16M <query >log 2>&1
echo "MariaDB $version"
head quote.csv backslash.csv
python3 - <<'PYTHON'
import csv

ann, bob = csv.reader(open("quote.csv", newline=""))
print(ann, bob, sep="\n")
assert ann == ["ann@example.org", 'Ann "A" Lee', "0"]
assert open("quote.csv").read().endswith('"bob@example.org","N,1\n')
assert len(bob) == 2
assert open("backslash.csv").read().endswith('"bob@example.org",\\N,1\n')
PYTHON
