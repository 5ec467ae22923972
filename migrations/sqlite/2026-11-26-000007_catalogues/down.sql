DROP TABLE plugin_downloads;
DROP TABLE plugin_ratings;
DROP TABLE catalogue_revocations;
DROP TABLE catalogue_listings;
DROP TABLE catalogues;
