# The fault campaign: its short form is a test, the long one is run by hand.
campaign_files = \
	tests/campaign/campaign.py \
	tests/campaign/project.py \
	tests/campaign/kills.py \
	tests/campaign/calls.py \
	tests/campaign/disks.py \
	tests/campaign/cuts.py \
	tests/campaign/memory.py \
	$(NULL)
EXTRA_DIST += $(campaign_files) tests/campaign/test_campaign.py
if HAVE_PYTHON3
TESTS += tests/campaign/test_campaign.py
endif

# make fault-campaign CAMPAIGN_FLAGS="--seconds 3600 --only kills"
fault-campaign: $(BUILT_SOURCES)
	$(MAKE) $(AM_MAKEFLAGS) all $(check_LTLIBRARIES)
	$(AM_TESTS_ENVIRONMENT) $(PYTHON3) $(top_srcdir)/tests/campaign/campaign.py $(CAMPAIGN_FLAGS)
.PHONY: fault-campaign
