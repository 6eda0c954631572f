#!/bin/sh
# R's readr 2.1.4, in write_tsv, doubles the double quotes within a value, but puts no quotes around it: the name
# Bob "B" Ray becomes Bob ""B"" Ray for every reader, readr's own read_tsv included. It puts none around a value with a
# tab either, so the columns behind it move. write_csv and write_delim put quotes around both, as RFC 4180 2.6 and 2.7 say.
# Write CSV, or write_tsv with quote = "needed". An importer cannot tell doubled quotes from meant ones: it counts rows
# with more values than headings. Needs R.
set -eu
packages="r-cran-bit r-cran-bit64 r-cran-cli r-cran-clipr r-cran-crayon r-cran-ellipsis r-cran-fansi r-cran-glue r-cran-hms
r-cran-lifecycle r-cran-magrittr r-cran-pillar r-cran-pkgconfig r-cran-prettyunits r-cran-progress r-cran-r6 r-cran-rlang
r-cran-tibble r-cran-tidyselect r-cran-tzdb r-cran-utf8 r-cran-vctrs r-cran-withr"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
# shellcheck disable=SC2086
apt-get download -qq -o APT::Sandbox::User=root r-cran-readr=2.1.4-1 r-cran-vroom=1.6.1-1 $packages
for package in *.deb; do
    dpkg -x "$package" .
done
R_LIBS=$work/usr/lib/R/site-library Rscript - <<'R'
library(readr)
cat("readr", as.character(packageVersion("readr")), "vroom", as.character(packageVersion("vroom")), "\n")
people <- data.frame(Email = c("bob@example.org", "ann@example.org"), Name = c('Bob "B" Ray', "Ann\tLee"), City = "Bern")
write_tsv(people, "people.tsv")
found <- readLines("people.tsv")
cat(found, sep = "\n")
stopifnot(found == c("Email\tName\tCity", 'bob@example.org\tBob ""B"" Ray\tBern', "ann@example.org\tAnn\tLee\tBern"))
stopifnot(suppressWarnings(read_tsv("people.tsv", show_col_types = FALSE))$Name[1] == 'Bob ""B"" Ray')
for (write in list(write_csv, function(x, file) write_tsv(x, file, quote = "needed"))) {
  write(people, "people.txt")
  cat(readLines("people.txt")[2], "\n")
  stopifnot(grepl('"Bob ""B"" Ray"', readLines("people.txt")[2], fixed = TRUE))
}
R
