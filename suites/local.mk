# suites/local.mk - suite definitions, the registry, embedded data and models: data only.
nobase_dist_pkgdata_DATA = $(SUITE_FILES)
include suites/files.mk
