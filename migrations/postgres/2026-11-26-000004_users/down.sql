DROP TABLE sign_ins;
DROP TABLE tokens;
DROP TABLE group_permissions;
DROP TABLE user_permissions;
DROP TABLE group_members;
DROP TABLE user_groups;
DROP TABLE users;
