DROP TABLE refusals;
DROP TABLE consumers;
DROP TABLE events;
DROP TABLE grants;
DROP TABLE plugins;
