# Ouvrir un accès aux mises à jour.
updates-title = Ouvrir votre accès aux mises à jour
updates-what = { $organization } vous donne accès aux mises à jour de « { $title } ».
updates-term = { $count ->
    [one] Cet accès dure un an à partir du jour où vous l’ouvrez.
   *[other] Cet accès dure { $count } ans à partir du jour où vous l’ouvrez.
}
updates-would-be = Ouvert aujourd’hui, il durerait jusqu’au { $date } inclus.
updates-submit = Ouvrir mon accès
updates-later = Vous préférez attendre ? Fermez cette page : rien ne commence sans ce bouton, et le lien reste valable.
updates-opened-title = Votre accès est ouvert
updates-until = Vous avez accès aux mises à jour de « { $title } » jusqu’au { $date } inclus.
updates-next = Continuer
updates-over-title = Ce lien ne fonctionne plus
updates-over-text = Son délai est passé, un autre lien vous a été envoyé depuis, ou cet accès a été fermé. Pour recevoir un nouveau lien, adressez-vous à l’organisme qui vous l’a envoyé.
updates-not-now-title = Cet accès ne peut pas encore être ouvert
updates-not-now-text = Votre compte n’est pas actif auprès de l’organisme qui vous donne cet accès. Rien n’a commencé : le lien que vous avez reçu fonctionnera dès que votre compte sera de nouveau ouvert. Pour toute question, adressez-vous à cet organisme.
