-- Schema of a small lending library for tools (drills, ladders, sewing machines).
-- The rules of the house are enforced by the database, not by the program:
--   * a thing can be out to only one member at a time
--   * nobody may have more than five things at once
--   * a loan can be extended only if nobody has reserved the thing

CREATE TABLE member (
    id        integer PRIMARY KEY,
    joined_on date    NOT NULL,
    paid_till date    NOT NULL,           -- membership fee is paid up to this day
    blocked   boolean NOT NULL DEFAULT false
);

CREATE TABLE item (
    id      integer PRIMARY KEY,
    label   text    NOT NULL,
    deposit numeric(8, 2) NOT NULL CHECK (deposit >= 0)
);

CREATE TABLE loan (
    id          bigserial PRIMARY KEY,
    item_id     integer NOT NULL REFERENCES item,
    member_id   integer NOT NULL REFERENCES member,
    taken_on    date    NOT NULL DEFAULT current_date,
    due_on      date    NOT NULL DEFAULT current_date + 14,
    returned_on date    CHECK (returned_on >= taken_on)
);

-- At most one open loan for each thing: uniqueness among the rows not yet returned.
CREATE UNIQUE INDEX one_open_loan ON loan (item_id) WHERE returned_on IS NULL;

CREATE TABLE reservation (
    item_id   integer NOT NULL REFERENCES item,
    member_id integer NOT NULL REFERENCES member,
    wished_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (item_id, member_id)
);

-- Refuse a sixth loan, and any loan to somebody who is blocked or has not paid.
CREATE FUNCTION check_loan() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM member
                WHERE id = NEW.member_id
                  AND (blocked OR paid_till < NEW.taken_on)) THEN
        RAISE EXCEPTION 'member % may not borrow at present', NEW.member_id;
    END IF;
    IF (SELECT count(*) FROM loan
         WHERE member_id = NEW.member_id AND returned_on IS NULL) >= 5 THEN
        RAISE EXCEPTION 'member % already has five things', NEW.member_id;
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER loan_rules BEFORE INSERT ON loan
    FOR EACH ROW EXECUTE FUNCTION check_loan();

-- Adds a week; returns false when another member is waiting for the thing.
CREATE FUNCTION extend_loan(wanted bigint) RETURNS boolean LANGUAGE sql AS $$
    WITH done AS (
        UPDATE loan SET due_on = due_on + 7
         WHERE id = wanted AND returned_on IS NULL
           AND NOT EXISTS (SELECT 1 FROM reservation r WHERE r.item_id = loan.item_id)
        RETURNING 1)
    SELECT EXISTS (SELECT 1 FROM done);
$$;

-- Who has to be reminded today, with the days by which they are late.
CREATE VIEW overdue AS
SELECT l.member_id, i.label, current_date - l.due_on AS days_late
  FROM loan l JOIN item i ON i.id = l.item_id
 WHERE l.returned_on IS NULL AND l.due_on < current_date
 ORDER BY days_late DESC;
