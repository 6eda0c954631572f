#!/bin/sh
# R's readr 2.1.4 gives all numbers of a column one form in write_csv2, the writer with a decimal comma: next to 12.5 the
# customer number 12345 becomes 12345,0, and in a column that also has 0.001 and 1e15 each number has an exponent. So a
# number that is a key, or a code, is another text in each export. write_csv writes 12345.
# write_excel_csv writes times as 2024/02/29 13:05:07, without the T and the zone of write_csv.
# Turn such columns into texts before the export. An importer cannot: 12345,0 may be what is meant. Needs R.
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
rows <- function(write, ...) {
  write(data.frame(...), "rows.txt")
  found <- gsub('"', "", sub("\ufeff", "", readLines("rows.txt", encoding = "UTF-8")[-1]))
  cat(found, "\n")
  found
}
stopifnot(rows(write_csv, Number = c(12345, 12.5)) == c("12345", "12.5"))
stopifnot(rows(write_csv2, Number = c(12345, 12.5)) == c("12345,0", "12,5"))
stopifnot(rows(write_csv2, Number = c(12345, 0.001, 1e15)) == c("1,2345e+04", "1,0000e-03", "1,0000e+15"))
time <- as.POSIXct("2024-02-29 13:05:07", tz = "UTC")
stopifnot(rows(write_csv, Time = time) == "2024-02-29T13:05:07Z")
stopifnot(rows(write_excel_csv, Time = time) == "2024/02/29 13:05:07")
R
