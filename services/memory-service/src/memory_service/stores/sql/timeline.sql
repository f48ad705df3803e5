-- The history that this server tells: another one after every promotion.
SELECT timeline()
