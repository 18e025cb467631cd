"""Tests of the readers and writers of files, on files made here and on the public data sets beside the repository."""
