-- An order that was called off takes no other's place: which one does is settled under the lock of its organization (R066).

DROP INDEX orders_superseded;
